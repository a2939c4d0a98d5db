import { assert, it } from "@effect/vitest"
import { SystemReason } from "@wirestack/transport-tcp"

const error = (code: string) => Object.assign(new Error(code), { code })

it("says what the errors of connect mean", () => {
  const tags: Record<string, string> = {
    ECONNREFUSED: "Refused",
    ENOENT: "Refused",
    EAGAIN: "Refused",
    EHOSTUNREACH: "Unreachable",
    ENETUNREACH: "Unreachable",
    EADDRNOTAVAIL: "Unreachable",
    ETIMEDOUT: "TimedOut",
    EACCES: "Forbidden",
    EPERM: "Forbidden",
    ECONNRESET: "Reset",
    ENOTFOUND: "Unresolved",
    EAI_AGAIN: "Unresolved",
    EMFILE: "Other"
  }
  for (const [code, tag] of Object.entries(tags)) {
    assert.strictEqual(SystemReason.connectReason(error(code), "127.0.0.1:1", 5)._tag, tag, code)
  }
  assert.strictEqual(SystemReason.connectReason("thrown", "127.0.0.1:1", 5)._tag, "Other")
})

it("says what the errors of listen mean", () => {
  const tags: Record<string, string> = {
    EADDRINUSE: "AddressInUse",
    EADDRNOTAVAIL: "Unreachable",
    ENOENT: "Unreachable",
    EACCES: "Forbidden",
    ENOTFOUND: "Unresolved",
    EMFILE: "Other"
  }
  for (const [code, tag] of Object.entries(tags)) {
    assert.strictEqual(SystemReason.listenReason(error(code), "127.0.0.1:1")._tag, tag, code)
  }
})
