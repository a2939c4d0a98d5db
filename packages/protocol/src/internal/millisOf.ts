import * as Duration from "effect/Duration"
import { atLeast } from "./atLeast.ts"

/** The milliseconds of a time that an option gives. Throws a `RangeError` that names the option if it is negative, or no time. */
export const millisOf = (option: string, time: Duration.Input): number =>
  atLeast(0, option, Number.isNaN(time) ? NaN : Duration.toMillis(Duration.fromInputUnsafe(time)))
