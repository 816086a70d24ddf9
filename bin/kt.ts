#!/usr/bin/env node
// argv → one function of lib/commands; prints errors; exit code. Nothing else.
import { run } from '../lib/commands/main.ts'

process.exitCode = await run(process.argv.slice(2))
