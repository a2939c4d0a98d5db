/**
 * Who comes into a listener, who waits in line, and who is turned away: sans-IO, told who arrives and who leaves.
 *
 * One waits while the door is closed, and if there is room for nobody else and `whenFull` says so; the line is bounded.
 */
import type { Ask } from "../Ask.ts"

/** The limits of a listener. */
export type Limits = Pick<Ask, "maxConnections" | "maxConnectionsPerPeer" | "maxWaiting" | "whenFull">

/** Why somebody is turned away: how many there may be, and of what. */
export interface Refusal {
  readonly of: "listener" | "peer" | "waiting"
  readonly limit: number
}

export class Door<Guest> {
  /** Whether anybody comes in at all. */
  open = false
  private inside = 0
  private readonly line: Array<Guest> = []
  /** How many of each address are inside or in line, if that is bounded. */
  private readonly peers = new Map<string, number>()
  private readonly maxInside: number
  private readonly maxPerPeer: number
  private readonly maxWaiting: number
  private readonly whenFull: "cut" | "wait"

  constructor({ maxConnections, maxConnectionsPerPeer, maxWaiting, whenFull }: Limits) {
    this.maxInside = maxConnections ?? 16_384
    this.maxPerPeer = maxConnectionsPerPeer ?? Infinity
    this.maxWaiting = maxWaiting ?? 511
    this.whenFull = whenFull ?? "cut"
  }

  /** Somebody is there, from an address if that is known, and takes a place in line unless there is none: see `next`. */
  arrive(guest: Guest, peer: string | undefined): Refusal | undefined {
    if (this.hasMany(peer)) return { of: "peer", limit: this.maxPerPeer }
    if (this.open && this.full && this.whenFull === "cut") return { of: "listener", limit: this.maxInside }
    if ((!this.open || this.full) && this.line.length >= this.maxWaiting) {
      return { of: "waiting", limit: this.maxWaiting }
    }
    this.line.push(guest)
    this.count(peer, 1)
    return undefined
  }

  /** Who comes in now, if anybody does. */
  next(): Guest | undefined {
    if (!this.open || this.full || this.line.length === 0) return undefined
    this.inside++
    return this.line.shift()
  }

  /** Somebody inside comes from another address than it counted for. */
  told(counted: string | undefined, peer: string | undefined): Refusal | undefined {
    if (this.hasMany(peer)) return { of: "peer", limit: this.maxPerPeer }
    this.count(counted, -1)
    this.count(peer, 1)
    return undefined
  }

  /** Somebody who was inside is gone. */
  left(peer: string | undefined): void {
    this.inside--
    this.count(peer, -1)
  }

  /** All in line come in, whether there is room or not. */
  rush(): ReadonlyArray<Guest> {
    this.inside += this.line.length
    return this.dismiss()
  }

  /** Sends the line home. */
  dismiss(): ReadonlyArray<Guest> {
    return this.line.splice(0)
  }

  private get full(): boolean {
    return this.inside >= this.maxInside
  }

  private hasMany(peer: string | undefined): boolean {
    return peer !== undefined && (this.peers.get(peer) ?? 0) >= this.maxPerPeer
  }

  private count(peer: string | undefined, change: 1 | -1): void {
    if (peer === undefined || this.maxPerPeer === Infinity) return
    const count = (this.peers.get(peer) ?? 0) + change
    if (count === 0) this.peers.delete(peer)
    else this.peers.set(peer, count)
  }
}
