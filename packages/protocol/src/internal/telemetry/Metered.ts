/** What is measured of one connection. */
import type { Outcome } from "../../Outcome.ts"
import type { Amount, LayerTransfer } from "../../reports/DataTransferReport.ts"
import type { Life } from "../LiveConnection.ts"
import { tallyOf } from "../tallyOf.ts"
import type { Account } from "./Account.ts"
import * as attribute from "./attributes.ts"
import * as instruments from "./instruments.ts"
import type { Meter, Queued } from "./Meter.ts"
import type { Attributes, Role } from "./Observer.ts"

/** A layer as it was seen last, and where what has passed it since is added. */
interface Seen {
  readonly account: Account
  before: LayerTransfer
}

const nothing = { messages: 0, bytes: 0 }

const grown = (later: number | undefined, earlier: number | undefined): number =>
  Math.max(0, (later ?? 0) - (earlier ?? 0))

const addGrown = (sum: { messages: number; bytes: number }, later: Amount, earlier: Amount): void => {
  sum.messages += grown(later.messages, earlier.messages)
  sum.bytes += grown(later.bytes, earlier.bytes)
}

/** A layer that nothing was seen of. */
const fresh = (layer: string): LayerTransfer => ({ layer, received: nothing, sent: nothing })

export class Metered {
  private readonly meter: Meter
  private readonly life: Life
  private readonly kind: Attributes
  private readonly queued: Queued
  private seen: ReadonlyArray<Seen> = []
  /** How it is counted as open. */
  private counted: Attributes

  constructor(meter: Meter, life: Life, role: Role) {
    this.meter = meter
    this.life = life
    this.counted = this.kind = attribute.kindOf(role, life.top.layer)
    meter.series.add(instruments.opened, this.kind, 1)
    meter.series.add(instruments.open, this.kind, 1)
    this.queued = meter.queuedOf(this.kind)
  }

  /** All layers are there. */
  ready(): void {
    this.count()
    this.meter.settle()
    const { life, meter: { series } } = this
    series.add(instruments.open, this.counted, -1)
    this.counted = { ...this.kind, [attribute.protocol]: life.top.layer }
    series.add(instruments.open, this.counted, 1)
  }

  /** Adds what has passed since the last time, and what waits. */
  look(): void {
    this.count()
    const { inbox, outbox, senders } = this.life.top.queues
    const { bytes, messages } = this.queued
    messages.inbox += inbox.messages
    messages.senders += senders
    bytes.inbox += inbox.bytes
    bytes.outbox += outbox
  }

  private count(): void {
    const layers = tallyOf(this.life)
    if (!this.isOf(layers)) this.seen = this.alignedTo(layers)
    for (let i = 0; i < layers.length; i++) {
      const [now, seen] = [layers[i], this.seen[i]]
      const { account, before } = seen
      addGrown(account.received, now.received, before.received)
      addGrown(account.sent, now.sent, before.sent)
      account.dropped += grown(now.dropped, before.dropped)
      seen.before = now
    }
  }

  private isOf(layers: ReadonlyArray<LayerTransfer>): boolean {
    const { seen } = this
    if (seen.length !== layers.length) return false
    for (let i = 0; i < seen.length; i++) if (seen[i].before.layer !== layers[i].layer) return false
    return true
  }

  /** What was seen of these layers: those that are new were put on at the top. */
  private alignedTo(layers: ReadonlyArray<LayerTransfer>): ReadonlyArray<Seen> {
    const later = layers.length - this.seen.length
    return layers.map((now, index) => {
      const seen = this.seen[index - later]
      return seen?.before.layer === now.layer
        ? seen
        : { account: this.meter.account(this.kind, now), before: fresh(now.layer) }
    })
  }

  roundTrip(layer: string, seconds: number): void {
    this.meter.series.add(instruments.roundTrip, { ...this.kind, [attribute.layer]: layer }, seconds)
  }

  over(outcome: Outcome): void {
    this.count()
    const { counted, kind, life, meter } = this
    const { series } = meter
    meter.over(this)
    meter.settle()
    series.add(instruments.open, counted, -1)
    series.add(instruments.closed, { ...counted, ...attribute.ofOutcome(outcome) }, 1)
    series.add(instruments.lifetime, counted, life.journal.elapsed / 1_000)
    const { undelivered, unsent } = outcome
    const lost = { unsent: unsent.messages, undelivered }
    for (const [how, messages] of Object.entries(lost)) {
      if (messages > 0) series.add(instruments.lostMessages, { ...kind, [attribute.lostBy]: how }, messages)
    }
    if (unsent.bytes > 0) series.add(instruments.lostBytes, kind, unsent.bytes)
  }
}
