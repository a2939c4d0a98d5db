/** Who is subscribed to what. */
import type { ConnectionError } from "@wirestack/protocol/ConnectionError"
import type { Feed } from "./Feed.ts"

export class Subscribers<A, E = never> {
  private readonly feeds = new Map<string, Set<Feed<A, E>>>()

  add(name: string, feed: Feed<A, E>): void {
    this.feeds.set(name, (this.feeds.get(name) ?? new Set()).add(feed))
  }

  /** Tells whether it was the last one of the name. */
  remove(name: string, feed: Feed<A, E>): boolean {
    const feeds = this.feeds.get(name)
    feeds?.delete(feed)
    return feeds?.size === 0 && this.feeds.delete(name)
  }

  /** Gives a message to all whose name is wanted. */
  give(wanted: (name: string) => boolean, message: A, size: number): void {
    for (const [name, feeds] of this.feeds) if (wanted(name)) { for (const feed of feeds) feed.give(message, size) }
  }

  /** Ends all, or those whose name is wanted. */
  fail(error: ConnectionError | E, wanted: (name: string) => boolean = () => true): void {
    for (const [name, feeds] of this.feeds) if (wanted(name)) { for (const feed of feeds) feed.fail(error) }
  }
}
