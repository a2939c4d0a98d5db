/** A state that can be watched. */
export interface Watchable<out S> {
  /** Tells the present state at once, and the later ones as they come, until what it returns is called. */
  watch(tell: (state: S) => void): () => void
}

export class Watched<S> implements Watchable<S> {
  private present: S
  private readonly watchers = new Set<(state: S) => void>()

  constructor(state: S) {
    this.present = state
  }

  get state(): S {
    return this.present
  }

  readonly set = (state: S): void => {
    this.present = state
    for (const tell of this.watchers) tell(state)
  }

  watch(tell: (state: S) => void): () => void {
    tell(this.present)
    this.watchers.add(tell)
    return () => void this.watchers.delete(tell)
  }
}
