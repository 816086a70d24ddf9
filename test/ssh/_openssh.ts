// Some tests compare with OpenSSH, where it is installed.
import { existsSync } from 'node:fs'
import test from 'ava'

/** `test.serial`, skipped where there is no OpenSSH. */
export const withOpenSsh = existsSync('/usr/bin/ssh-keygen') ? test.serial : test.serial.skip
