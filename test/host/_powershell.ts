// Stands for powershell.exe as a program of its own: what Windows has lies in the file that $KT_TEST_WINDOWS names.
import { readFileSync, writeFileSync } from 'node:fs'
import { Windows, type WindowsState } from './_windows.ts'

const file = process.env.KT_TEST_WINDOWS ?? ''
const windows = new Windows(JSON.parse(readFileSync(file, 'utf8')) as WindowsState)
const { ok, stdout, stderr } = windows.powershell(process.argv.slice(2), readFileSync(0, 'utf8'))
writeFileSync(file, JSON.stringify(windows.state))
process.stdout.write(stdout)
process.stderr.write(stderr)
process.exitCode = ok ? 0 : 1
