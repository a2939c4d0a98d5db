/**
 * The machine beside the receiver of `ws` once more, with permessage-deflate: messages of all kinds of blocks, with takeover or
 * without, and with mistakes in them. See `WebSocketMachine.differential.test.ts`.
 */
import { beside } from "../differential/beside.ts"
import { compressed } from "../differential/deflating.ts"
import * as differences from "../differential/differences.ts"

beside({
  variant: compressed,
  table: differences.compressed,
  others: differences.plain,
  cases: 2_000,
  // To take a byte from compressed data is seldom a simplification.
  simplest: 100
})
