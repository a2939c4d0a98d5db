import { assert, describe, it } from "@effect/vitest"
import { TraceContext } from "@wirestack/protocol"
import { random } from "@wirestack/test-support"
import { Context, Tracer } from "effect"

const known = { traceId: "0af7651916cd43dd8448eb211c80319c", spanId: "b7ad6b7169203331" }
const text = `00-${known.traceId}-${known.spanId}-01`

describe("traceparent", () => {
  it("names a span, and whether its trace is recorded", () => {
    assert.deepInclude(TraceContext.parse(text), { ...known, sampled: true })
    assert.deepInclude(TraceContext.parse(text.replace(/01$/, "00")), { ...known, sampled: false })
    assert.deepInclude(TraceContext.parse(text.replace(/01$/, "03")), { ...known, sampled: true })
  })

  it("of a later version is read as far as it is known", () => {
    assert.deepInclude(TraceContext.parse(text.replace(/^00/, "cc")), known)
    assert.deepInclude(TraceContext.parse(`${text.replace(/^00/, "cc")}-what-the-future-brings`), known)
  })

  it("that breaks a rule names nothing", () => {
    for (
      const wrong of [
        "",
        "00",
        `${text}-more`,
        text.replace(/^00/, "ff"),
        text.toUpperCase(),
        text.replace(known.traceId, "0".repeat(32)),
        text.replace(known.spanId, "0".repeat(16)),
        text.slice(0, -1),
        `${text}0`,
        ` ${text}`,
        `cc-${text.slice(3)}-${"x".repeat(TraceContext.maxLength)}`
      ]
    ) assert.isUndefined(TraceContext.parse(wrong), wrong)
  })

  it("is read as it was written", () => {
    const next = random(1)
    const id = (digits: number) => Array.from({ length: digits }, () => Math.floor(next() * 16).toString(16)).join("")
    for (let i = 0; i < 200; i++) {
      const span = { traceId: id(32), spanId: id(16), sampled: next() < 0.5 }
      assert.deepInclude(TraceContext.parse(TraceContext.format(Tracer.externalSpan(span))!), span)
    }
  })

  it("with any character changed names another span, or none", () => {
    for (let at = 0; at < text.length; at++) {
      for (const character of "0f-xF") {
        const changed = `${text.slice(0, at)}${character}${text.slice(at + 1)}`
        const span = TraceContext.parse(changed)
        if (span !== undefined && changed.startsWith("00")) assert.include(changed, `${span.traceId}-${span.spanId}`)
      }
    }
  })

  it("of a short trace is filled up, and of one that is not to be told of there is none", () => {
    const short = Tracer.externalSpan({ ...known, traceId: "8448eb211c80319c" })
    assert.strictEqual(TraceContext.format(short), `00-00000000000000008448eb211c80319c-${known.spanId}-01`)
    const annotations = Context.make(Tracer.DisablePropagation, true) as Context.Context<never>
    assert.isUndefined(TraceContext.format(Tracer.externalSpan({ ...known, annotations })))
  })
})
