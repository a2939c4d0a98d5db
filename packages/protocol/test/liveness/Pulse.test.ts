/** How it beats on connections is tested with the layers that have one. */
import { assert, describe, it } from "@effect/vitest"
import { type Patient, Pulse, timing } from "@wirestack/protocol/liveness/Pulse"

/** A pulse from time 0 on, and a beat every second until `end`: when there was what, in seconds. */
const pulse = (options: Parameters<typeof timing>[0] = {}) => {
  const patient: { -readonly [K in keyof Patient]: Patient[K] } = {
    heard: false,
    deaf: false,
    mute: false,
    handed: 0,
    speaks: true
  }
  const pulse = new Pulse(patient, timing(options), 0)
  let now = 0
  return {
    patient,
    until: (end: number, roundTrip?: number) => {
      const found: Array<string> = []
      for (now++; now <= end; now++) {
        const verdict = pulse.beat(now * 1_000, roundTrip)
        if (verdict !== "wait") found.push(`${now} ${verdict}`)
      }
      now--
      return found
    }
  }
}

describe("Pulse", () => {
  it("asks after the interval, and gives up after two misses", () => {
    assert.deepStrictEqual(pulse().until(31), ["20 ping", "25 ping", "30 fail", "31 fail"])
  })

  it("counts from the last sign of life", () => {
    const { patient, until } = pulse()
    assert.deepStrictEqual(until(24), ["20 ping"])
    patient.heard = true
    assert.deepStrictEqual(until(50), ["45 ping", "50 ping"])
    assert.isFalse(patient.heard)
  })

  it("waits four round trips for an answer, at most the interval", () => {
    assert.deepStrictEqual(pulse().until(40, 3_000), ["20 ping", "32 ping"])
    assert.deepStrictEqual(pulse().until(59, 60_000), ["20 ping", "40 ping"])
    assert.deepStrictEqual(pulse().until(29, 10), ["20 ping", "25 ping"])
  })

  it("misses nothing while nothing can be heard", () => {
    const { patient, until } = pulse()
    until(22)
    patient.deaf = true
    assert.deepStrictEqual(until(1_000), [])
    patient.deaf = false
    assert.deepStrictEqual(until(1_020), ["1020 ping"])
  })

  it("gives a ping three times as long to leave", () => {
    const { patient, until } = pulse()
    until(20)
    patient.mute = true
    assert.deepStrictEqual(until(50), ["35 ping", "50 fail"])
  })

  it("does nothing where no ping may be sent", () => {
    const { patient, until } = pulse()
    patient.speaks = false
    assert.deepStrictEqual(until(100), [])
    patient.speaks = true
    assert.deepStrictEqual(until(111), ["101 ping", "106 ping", "111 fail"])
  })

  it("gives a second more for every 64 KiB since the last sign of life", () => {
    const { patient, until } = pulse()
    patient.handed = 3 * 65_536
    assert.deepStrictEqual(until(36), ["20 ping", "28 ping", "36 fail"])
    patient.heard = true
    assert.deepStrictEqual(until(67), ["57 ping", "62 ping", "67 fail"])
  })

  it("begins the time for an answer when the ping has left", () => {
    const { patient, until } = pulse()
    until(20)
    patient.mute = true
    assert.deepStrictEqual(until(34), [])
    patient.mute = false
    assert.deepStrictEqual(until(45), ["40 ping", "45 fail"])
  })
})
