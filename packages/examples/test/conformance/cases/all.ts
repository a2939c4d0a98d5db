/** Every case, in the order of its number. */
import type { Case } from "./Case.ts"
import { closing } from "./closing.ts"
import { deflate } from "./deflate.ts"
import { fragments } from "./fragments.ts"
import { framing } from "./framing.ts"
import { heads } from "./heads.ts"
import { opcodes } from "./opcodes.ts"
import { parameters } from "./parameters.ts"
import { cutting, performance } from "./performance.ts"
import { pings } from "./pings.ts"
import { reserved } from "./reserved.ts"
import { utf8 } from "./utf8.ts"

export const all: ReadonlyArray<Case> = [
  ...framing,
  ...pings,
  ...reserved,
  ...opcodes,
  ...fragments,
  ...utf8,
  ...closing,
  ...heads,
  ...performance,
  ...cutting,
  ...deflate,
  ...parameters
]
