/** Wires that nobody uses any more and whose peers must not hear of it yet; without the stack they are on they can't be kept. */
import type { Wire } from "../../wire/Wire.ts"

export class Graveyard {
  private readonly wires = new Set<Wire<any, any>>()
  private closed = false

  bury(wire: Wire<any, any>): void {
    if (this.closed) wire.abort()
    else this.wires.add(wire)
  }

  /** Cuts all that are here, and all that are still to come. */
  clear(): void {
    this.closed = true
    for (const wire of this.wires) wire.abort()
    this.wires.clear()
  }
}
