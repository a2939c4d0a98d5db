/** The examples as processes of their own. */
import { run, type Running } from "@wirestack/test-support"
import type { Effect, Scope } from "effect"
import * as path from "node:path"

export { exists, run, type Running, which } from "@wirestack/test-support"

const sources = path.resolve(import.meta.dirname, "../../src")

/** Runs one of the examples, from its source. */
export const example = (
  file: string,
  args: ReadonlyArray<string> = [],
  flags: ReadonlyArray<string> = []
): Effect.Effect<Running, never, Scope.Scope> =>
  run(process.execPath, [...flags, "--conditions=@wirestack/source", path.join(sources, file), ...args])
