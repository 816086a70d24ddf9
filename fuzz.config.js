export default { files: ['test/fuzz/**/*.test.ts'], extensions: ['ts'], timeout: '10m' }
