// AVA for tests on a real cluster: one process at a time, one test after the other. `npm run test:e2e` names the files.
export default {
  files: ['test/e2e/**/*.test.ts'],
  extensions: ['ts'],
  require: ['./test/_support/temporary.ts'],
  workerThreads: false,
  concurrency: 1,
  serial: true,
  timeout: '5m'
}
