/** What the probes of one connection are shown: masked, with its time, and so that none of them can break the connection. */
import * as Effect from "effect/Effect"
import type { EndOfInput, Outcome } from "../../Outcome.ts"
import { type Mask, type Redact, secrets as known } from "../../tap/Redact.ts"
import type { Options, Probe, Subject, Way } from "../../tap/Tap.ts"
import type { Journal } from "../Journal.ts"
import { lifeOf } from "../LiveConnection.ts"

export class Viewing {
  private readonly subject: Subject
  private readonly journal: Journal
  private readonly masks: { readonly [W in Way]: ReadonlyArray<Mask> }
  private probes: ReadonlyArray<Probe>

  constructor(subject: Subject, probes: ReadonlyArray<Probe>, redacts: ReadonlyArray<Redact>) {
    const masksOf = (way: Way) => redacts.flatMap((redact): ReadonlyArray<Mask> | Mask => redact(subject, way) ?? [])
    this.subject = subject
    this.journal = lifeOf(subject.connection).journal
    this.masks = { sent: masksOf("sent"), received: masksOf("received") }
    this.probes = probes
  }

  passed(way: Way, message: unknown): void {
    const { probes } = this
    if (probes.length === 0) return
    const at = this.journal.elapsed
    const masks = this.masks[way]
    let shown = message
    try {
      for (let i = 0; i < masks.length; i++) shown = masks[i](shown)
    } catch (thrown) {
      return this.lose(probes, thrown)
    }
    for (let i = 0; i < probes.length; i++) {
      try {
        probes[i].passed(way, shown, at)
      } catch (thrown) {
        this.lose([probes[i]], thrown)
      }
    }
  }

  ended(way: Way, how: EndOfInput): void {
    this.tell((probe, at) => probe.ended(way, how, at))
  }

  closed(outcome: Outcome): void {
    this.tell((probe, at) => probe.closed(outcome, at))
    this.probes = []
  }

  private tell(news: (probe: Probe, at: number) => void): void {
    const at = this.journal.elapsed
    for (const probe of this.probes) {
      try {
        news(probe, at)
      } catch (thrown) {
        this.lose([probe], thrown)
      }
    }
  }

  /** What could not be shown, or masked, is the last that these are told. */
  private lose(lost: ReadonlyArray<Probe>, thrown: unknown): void {
    const { name, run } = this.subject
    this.probes = this.probes.filter((probe) => !lost.includes(probe))
    run(Effect.logError(`a tap on ${name} broke, and shows nothing more of a connection:`, thrown))
  }
}

/** The view of a connection, if any sink wants one. */
export const viewing = (subject: Subject, { redact, secrets = "mask", to }: Options): Viewing | undefined => {
  const probes = to.flatMap((sink): ReadonlyArray<Probe> | Probe => sink(subject) ?? [])
  if (probes.length === 0) return undefined
  const redacts = [...secrets === "mask" ? [known] : [], ...redact === undefined ? [] : [redact]]
  const view = new Viewing(subject, probes, redacts)
  lifeOf(subject.connection).watch((state) => {
    if ("outcome" in state && state.outcome !== undefined) view.closed(state.outcome)
  })
  return view
}
