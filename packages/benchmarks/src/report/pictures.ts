/** Every picture that can be drawn of a result. */
import type { Result } from "../Result.ts"
import { growth } from "./growth.ts"
import { latency } from "./latency.ts"
import { memory } from "./memory.ts"
import type { Picture } from "./Picture.ts"
import { ratios } from "./ratios.ts"

export const pictures = (result: Result): ReadonlyArray<Picture> => [
  ratios(result),
  ...growth(result),
  ...latency(result),
  ...memory(result)
]
