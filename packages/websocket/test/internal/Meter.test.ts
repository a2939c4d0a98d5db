import { assert, describe, it } from "@effect/vitest"
import { Meter } from "../../src/internal/Meter.ts"
import { RateExceeded } from "../../src/WebSocketReason.ts"

/** A meter, and its clock. */
const setup = (messages: number, bytes: number) => {
  const clock = { now: 1_234.5 }
  const meter = new Meter({ maxMessagesPerSecond: messages, maxBytesPerSecond: bytes }, () => clock.now)
  const took = (count: number, size: number) => meter.take(count, size)?.what
  return { clock, meter, took }
}

describe("Meter", () => {
  it("lets a second's worth through at once, and then no more", () => {
    const { meter, took } = setup(3, Infinity)
    for (let i = 0; i < 3; i++) assert.isUndefined(took(1, 1_000_000))
    assert.deepStrictEqual(meter.take(1, 0), new RateExceeded({ what: "messages", limit: 3 }))
  })

  it("refills with the time, to a second's worth at most", () => {
    const { clock, took } = setup(4, Infinity)
    for (let i = 0; i < 4; i++) assert.isUndefined(took(1, 0))
    clock.now += 249
    assert.strictEqual(took(1, 0), "messages")
    clock.now += 1
    assert.isUndefined(took(1, 0))
    clock.now += 3_600_000
    for (let i = 0; i < 4; i++) assert.isUndefined(took(1, 0))
    assert.strictEqual(took(1, 0), "messages")
  })

  it("takes a first message also where there are fewer than one a second", () => {
    const { clock, took } = setup(0.5, Infinity)
    for (let i = 0; i < 3; i++) {
      assert.isUndefined(took(1, 0))
      clock.now += 1_990
      assert.strictEqual(took(1, 0), "messages")
      clock.now += 20
    }
  })

  it("lets one message overdraw the bytes, and waits until that is paid back", () => {
    const { clock, meter, took } = setup(Infinity, 100)
    assert.isUndefined(took(1, 99))
    assert.isUndefined(took(1, 251))
    assert.deepStrictEqual(meter.take(1, 1), new RateExceeded({ what: "bytes", limit: 100 }))
    clock.now += 2_490
    assert.strictEqual(took(1, 1), "bytes")
    clock.now += 20
    assert.isUndefined(took(1, 1))
  })

  it("a burst of exactly what is allowed is fine, and so is nothing behind it", () => {
    const { took } = setup(Infinity, 100)
    assert.isUndefined(took(1, 100))
    assert.isUndefined(took(1, 0))
    assert.strictEqual(took(1, 1), "bytes")
  })

  it("counts parts that end no message by their bytes alone", () => {
    const { took } = setup(1, 1_000)
    for (let i = 0; i < 100; i++) assert.isUndefined(took(0, 10))
    assert.strictEqual(took(0, 1), "bytes")
  })

  it("a steady stream within the rates goes on for ever, and one above them does not", () => {
    for (const [every, ending] of [[10, undefined], [9.5, "messages"]] as const) {
      const { clock, took } = setup(100, 100_000)
      let end: string | undefined
      for (let i = 0; i < 10_000 && end === undefined; i++) {
        clock.now += every
        end = took(1, 1_000)
      }
      assert.strictEqual(end, ending)
    }
  })

  it("is not confused by a clock that goes back, nor without limits", () => {
    const { clock, took } = setup(1, Infinity)
    assert.isUndefined(took(1, 1))
    clock.now -= 10_000
    assert.strictEqual(took(1, 1), "messages")
    clock.now += 1_000
    assert.isUndefined(took(1, 1))
    const free = setup(Infinity, Infinity)
    for (let i = 0; i < 1_000; i++) assert.isUndefined(free.took(1, Number.MAX_SAFE_INTEGER))
  })
})
