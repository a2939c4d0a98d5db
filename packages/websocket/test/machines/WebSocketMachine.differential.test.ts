/**
 * The machine beside the receiver of `ws`: both hear the same traffic, right and wrong, and must agree on every message
 * and pong, on which pings are answered, on how it ends and with which code. Where they don't, `differences` says why.
 *
 * `WIRESTACK_SEED` is the seed of the first case, each further case has the next one; `WIRESTACK_CASES` is how many there
 * are, or `WIRESTACK_SECONDS` how long to go on.
 */
import { beside } from "../differential/beside.ts"
import * as differences from "../differential/differences.ts"
import { plain } from "../differential/traffic.ts"

beside({ variant: plain, table: differences.plain, others: [], cases: 40_000, simplest: 20 })
