import type * as Effect from "effect/Effect"
import { format, type StackUrl } from "../StackUrl.ts"
import { say } from "./Operator.ts"

/** Says what `--insecure` means, each time. */
export const warnOfInsecurity = (url: StackUrl): Effect.Effect<void> =>
  say(
    `INSECURE: nobody has to prove to be ${format(url)}; whoever is on the way can read and change everything`,
    ["red", "bold"]
  )
