import { describe, it } from "@effect/vitest"
import { type CodecSubject, codecSuite } from "@wirestack/protocol/testing"

/** Runs the suite of codecs. */
export const keeps = <L, M, T>(name: string, subject: CodecSubject<L, M, T>): void => {
  describe(name, () => {
    for (const { name, run } of codecSuite(subject)) it.effect(name, () => run)
  })
}
