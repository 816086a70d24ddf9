import test from 'ava'
import { BLOCK_BYTES, freeUnused, giveBlock, takeBlock } from '../lib/blocks.ts'

test('a block that was given back is the next one, also when only its beginning is at hand', t => {
  const block = takeBlock()
  t.is(block.length, BLOCK_BYTES)
  giveBlock(block.subarray(0, 10))
  t.is(takeBlock().buffer, block.buffer)
})

test('nobody gets a block twice, nor memory that is not a block, nor one whose beginning is elsewhere', t => {
  const block = takeBlock()
  giveBlock(block.subarray(1))
  t.not(takeBlock().buffer, block.buffer)
  giveBlock(block)
  giveBlock(block)
  t.is(takeBlock().buffer, block.buffer)
  t.not(takeBlock().buffer, block.buffer)
  const foreign = new Uint8Array(BLOCK_BYTES)
  giveBlock(foreign)
  t.not(takeBlock().buffer as ArrayBufferLike, foreign.buffer)
})

test('blocks that nobody has needed for a while are freed, the others stay', t => {
  const blocks = Array.from({ length: 8 }, takeBlock)
  for (const block of blocks) giveBlock(block)
  freeUnused()
  t.true(
    blocks.every(({ length }) => length === BLOCK_BYTES),
    'they have just been given back'
  )
  const [one, other] = [takeBlock(), takeBlock()]
  giveBlock(one)
  giveBlock(other)
  freeUnused()
  t.is(blocks.filter(({ length }) => length === BLOCK_BYTES).length, 2)
  t.true([one.buffer, other.buffer].includes(takeBlock().buffer))
})

test('no more than 16 MiB wait for the next taker', t => {
  const blocks = Array.from({ length: 300 }, takeBlock)
  for (const block of blocks) giveBlock(block)
  t.is(blocks.filter(({ length }) => length === BLOCK_BYTES).length, 256)
})
