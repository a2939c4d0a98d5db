/**
 * The metrics of connections. What is rare is written down when it happens. What passes is counted by the layers themselves: whoever reads
 * the metrics has all open connections looked at first, and what has passed since is added; a connection that ends is looked at once more.
 *
 * Effect reads the series of a registry in the order in which they were made, so the one that takes the look is made first.
 */
import * as Context from "effect/Context"
import * as Metric from "effect/Metric"
import type { LayerTransfer } from "../../reports/DataTransferReport.ts"
import type { EstablishmentReport } from "../../reports/EstablishmentReport.ts"
import type { Life } from "../LiveConnection.ts"
import { Account } from "./Account.ts"
import * as attribute from "./attributes.ts"
import * as instruments from "./instruments.ts"
import { Metered } from "./Metered.ts"
import type { Attributes, Called, Refused, Role, Sample } from "./Observer.ts"
import { Series } from "./Series.ts"

/** What waits in connections of one kind. */
export interface Queued {
  readonly kind: Attributes
  readonly messages: { inbox: number; senders: number }
  readonly bytes: { inbox: number; outbox: number }
}

/** Those in use, by the registry that their series are in, and the attributes that all of them have. */
const inUse = new WeakMap<object, Map<string, Meter>>()

export class Meter {
  /** The one of a registry: whoever reads that looks once. Of two that share it the limit is that of the first. */
  static use(context: Context.Context<never>, limit: number): Meter {
    const registry = Context.get(context, Metric.MetricRegistry)
    const meters = inUse.get(registry) ?? new Map<string, Meter>()
    inUse.set(registry, meters)
    const key = JSON.stringify(Context.get(context, Metric.CurrentMetricAttributes))
    const meter = meters.get(key) ?? new Meter(context, limit, () => meters.delete(key))
    meters.set(key, meter)
    meter.users++
    return meter
  }

  readonly series: Series
  private users = 0
  private readonly unused: () => void
  private readonly accounts = new Map<string, Account>()
  private readonly queued = new Map<string, Queued>()
  private readonly open = new Set<Metered>()
  private readonly samples = new Set<Sample>()
  private readonly leader: Metric.Registration

  private constructor(context: Context.Context<never>, limit: number, unused: () => void) {
    this.unused = unused
    this.series = new Series(context, limit)
    const { description, name, unit } = instruments.looking
    this.leader = Metric.registerUnsafe(
      Metric.gauge(name, { description, attributes: { unit: unit! } }),
      context,
      { get: () => ({ value: this.look() }), update: () => {}, modify: () => {} }
    )
  }

  begun(life: Life, role: Role): Metered {
    const metered = new Metered(this, life, role)
    this.open.add(metered)
    return metered
  }

  over(metered: Metered): void {
    this.open.delete(metered)
  }

  /** Where a layer of a kind of connection is counted, which has counted so much. */
  account(kind: Attributes, counted: LayerTransfer): Account {
    const { layer } = counted
    const key = `${attribute.keyOf(kind)} ${layer}`
    let account = this.accounts.get(key)
    if (account === undefined) {
      this.accounts.set(key, account = new Account({ ...kind, [attribute.layer]: layer }))
      account.begin(this.series, counted)
    }
    return account
  }

  /** What waits in connections of a kind, which has its series from the first one on. */
  queuedOf(kind: Attributes): Queued {
    const key = attribute.keyOf(kind)
    let queued = this.queued.get(key)
    if (queued === undefined) {
      this.queued.set(key, queued = { kind, messages: { inbox: 0, senders: 0 }, bytes: { inbox: 0, outbox: 0 } })
      this.show(queued)
    }
    return queued
  }

  private show({ bytes, kind, messages }: Queued): void {
    const all = [[instruments.queuedMessages, messages], [instruments.queuedBytes, bytes]] as const
    for (const [instrument, amounts] of all) {
      for (const [queue, amount] of Object.entries(amounts)) {
        this.series.set(instrument, { ...kind, [attribute.queue]: queue }, amount)
      }
    }
  }

  /** Writes down what has passed. */
  settle(): void {
    for (const account of this.accounts.values()) account.settle(this.series)
  }

  /** Looks at all that is open, and gives how many seconds that took. */
  look(): number {
    const began = performance.now()
    for (const { bytes, messages } of this.queued.values()) {
      messages.inbox =
        messages.senders =
        bytes.inbox =
        bytes.outbox =
          0
    }
    for (const metered of this.open) metered.look()
    this.settle()
    for (const queued of this.queued.values()) this.show(queued)
    for (const sample of this.samples) sample(this.series, false)
    return (performance.now() - began) / 1_000
  }

  sampling(sample: Sample): () => void {
    this.samples.add(sample)
    return () => {
      if (this.samples.delete(sample)) sample(this.series, true)
    }
  }

  refused(why: Refused, count: number): void {
    this.series.add(instruments.refused, { [attribute.reason]: why }, count)
  }

  reconnected(reason: string | undefined): void {
    this.series.add(instruments.reconnected, { [attribute.error]: reason }, 1)
  }

  resumed(reason: string | undefined): void {
    this.series.add(instruments.resumed, { [attribute.error]: reason }, 1)
  }

  connected(seconds: number, reason: string | undefined): void {
    this.series.add(instruments.connect, { [attribute.error]: reason }, seconds)
  }

  /** What layers did until they were ready, or failed. */
  established(role: Role, { attempts }: EstablishmentReport): void {
    for (const { layer, reason, took } of attempts.flat()) {
      const attributes = { [attribute.role]: role, [attribute.layer]: layer, [attribute.error]: reason?._tag }
      this.series.add(instruments.handshake, attributes, took / 1_000)
    }
  }

  called(role: Role, { name, protocol }: Called, seconds: number, reason: string | undefined): void {
    const instrument = role === "client" ? instruments.clientCall : instruments.serverCall
    this.series.add(instrument, { ...attribute.ofCall(protocol, name), [attribute.error]: reason }, seconds)
  }

  /** One user less; with the last one it is the last look, and nothing is looked at any more. */
  leave(): void {
    if (--this.users > 0) return
    this.unused()
    this.look()
    this.leader.remove()
  }
}

declare const performance: { now(): number }
