import { assert, describe, it } from "@effect/vitest"
import { Closed, Undecodable, Unsupported } from "@wirestack/protocol/ConnectionError"
import { Other, TooLarge, Truncated, Violation } from "@wirestack/protocol/Reason"
import * as Option from "effect/Option"
import * as CloseBody from "../../src/frames/CloseBody.ts"
import * as CloseCode from "../../src/frames/CloseCode.ts"
import { hex, toHex, utf8 } from "../support.ts"

describe("CloseCode", () => {
  it("RFC 6455 7.4: the codes of the protocol, 3000 to 3999 and 4000 to 4999 are legal, all others are not", () => {
    const legal = new Set([1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014])
    for (let code = 0; code <= 65_535; code++) {
      assert.strictEqual(CloseCode.isCloseCode(code), legal.has(code) || (code >= 3000 && code <= 4999), `${code}`)
    }
    for (const code of [-1000, 1000.5, NaN, Infinity]) assert.isFalse(CloseCode.isCloseCode(code))
  })

  it("RFC 6455 7.4.1: each code of the protocol has its name", () => {
    assert.deepStrictEqual(CloseCode.Protocol, {
      NormalClosure: 1000,
      GoingAway: 1001,
      ProtocolError: 1002,
      UnsupportedData: 1003,
      InvalidFramePayloadData: 1007,
      PolicyViolation: 1008,
      MessageTooBig: 1009,
      MandatoryExtension: 1010,
      InternalError: 1011,
      ServiceRestart: 1012,
      TryAgainLater: 1013,
      BadGateway: 1014
    })
    assert.deepStrictEqual(CloseCode.Absent, { NoStatusReceived: 1005, AbnormalClosure: 1006 })
  })

  it("makes a code of a number that is only known at run time", () => {
    assert.deepStrictEqual(CloseCode.make(1000), Option.some(1000 as const))
    assert.isTrue(Option.isSome(CloseCode.make(4999)))
    assert.isTrue(Option.isNone(CloseCode.make(5000)))
  })

  it("RFC 6455 7.4.1: what must not be sent does not compile", () => {
    const send = (code: CloseCode.CloseCode): number => code
    assert.strictEqual(send(1000), 1000)
    assert.strictEqual(send(CloseCode.Protocol.PolicyViolation), 1008)
    assert.strictEqual(send(CloseCode.registered(3000)), 3000)
    assert.strictEqual(send(CloseCode.privateUse(4999)), 4999)
    // @ts-expect-error no status was received
    send(1005)
    // @ts-expect-error there was no Close frame
    send(1006)
    // @ts-expect-error reserved
    send(1004)
    // @ts-expect-error TLS failed
    send(1015)
    // @ts-expect-error below all ranges
    send(999)
    // @ts-expect-error reserved for later versions of the protocol
    send(2000)
    // @ts-expect-error an unchecked number
    send(3000)
    // @ts-expect-error not registered
    CloseCode.registered(4000)
    // @ts-expect-error not private
    CloseCode.privateUse(3999)
    // @ts-expect-error not in any range
    CloseCode.privateUse(5000)
    // @ts-expect-error not known to be in the range
    CloseCode.registered(3000 as number)
    const reported: ReadonlyArray<CloseCode.Reported> = [1005, 1006, 1000]
    assert.lengthOf(reported, 3)
  })

  it("says why our side closes", () => {
    assert.strictEqual(CloseCode.fromWhy("done"), 1000)
    assert.strictEqual(CloseCode.fromWhy("failed"), 1011)
    assert.strictEqual(CloseCode.fromWhy("away"), 1001)
    assert.strictEqual(CloseCode.fromWhy("restart"), 1012)
    assert.strictEqual(CloseCode.fromWhy("overloaded"), 1013)
  })

  it("RFC 6455 7.4.1: has a code for every reason to give up", () => {
    assert.strictEqual(CloseCode.fromViolation(new Violation({ rule: "" })), 1002)
    assert.strictEqual(CloseCode.fromViolation(new Violation({ rule: "", section: "RFC 6455 section 5.1" })), 1002)
    assert.strictEqual(CloseCode.fromViolation(new Violation({ rule: "", section: CloseCode.textSection })), 1007)
    assert.strictEqual(CloseCode.fromViolation(new Violation({ rule: "", section: CloseCode.deflateSection })), 1007)
    assert.strictEqual(CloseCode.fromViolation(new Unsupported({ operation: "binary message" })), 1003)
    assert.strictEqual(CloseCode.fromViolation(new Undecodable({ detail: "" })), 1007)
    assert.strictEqual(CloseCode.fromViolation(new Undecodable({ detail: "", by: "schema" })), 1008)
    assert.strictEqual(CloseCode.fromViolation(new TooLarge({ what: "", size: 2, limit: 1 })), 1009)
    for (const reason of [new Other({ cause: 1 }), new Truncated({ inside: "" }), new Closed()]) {
      assert.strictEqual(CloseCode.fromViolation(reason), 1011)
    }
  })
})

describe("CloseBody", () => {
  it("RFC 6455 5.5.1: is a code and a reason", () => {
    assert.strictEqual(toHex(CloseBody.encode(1001, "é")), "03e9c3a9")
    assert.deepStrictEqual(CloseBody.decode(hex("03e9c3a9")), { code: 1001, reason: "é" })
    assert.deepStrictEqual(CloseBody.decode(CloseBody.encode(CloseCode.privateUse(4321), "")), {
      code: 4321,
      reason: ""
    })
  })

  it("RFC 6455 7.1.5: an empty body is reported as 1005", () => {
    assert.deepStrictEqual(CloseBody.decode(hex("")), { code: 1005, reason: "" })
  })

  it("RFC 6455 5.5: cuts a reason of more than 123 bytes, between two characters", () => {
    assert.strictEqual(CloseBody.encode(1000, "x".repeat(200)).length, 125)
    const cut = CloseBody.decode(CloseBody.encode(1000, "x".repeat(122) + "é"))
    assert.deepStrictEqual(cut, { code: 1000, reason: "x".repeat(122) })
    const whole = CloseBody.decode(CloseBody.encode(1000, "x".repeat(121) + "é"))
    assert.deepStrictEqual(whole, { code: 1000, reason: "x".repeat(121) + "é" })
  })

  it("RFC 6455 5.5.1: a body of one byte is a violation", () => {
    const violation = CloseBody.decode(hex("03"))
    assert.instanceOf(violation, Violation)
    assert.strictEqual(CloseCode.fromViolation(violation as Violation), 1002)
  })

  it("RFC 6455 7.4: a code that must not be sent is a violation", () => {
    for (const code of ["0000", "03e7", "03ec", "03ed", "03ee", "03f7", "07d0", "0bb7", "1388", "ffff"]) {
      const violation = CloseBody.decode(hex(code))
      assert.instanceOf(violation, Violation, code)
      assert.strictEqual(CloseCode.fromViolation(violation as Violation), 1002)
    }
  })

  it("RFC 6455 8.1: a reason that is not UTF-8 is a violation of its own", () => {
    const violation = CloseBody.decode(new Uint8Array([0x03, 0xe8, ...utf8("abc"), 0xff]))
    assert.instanceOf(violation, Violation)
    assert.strictEqual(CloseCode.fromViolation(violation as Violation), 1007)
  })
})
