/** What is measured: so many connections, each keeping so many messages of a size on their way. */
export interface Workload {
  readonly name: string
  readonly connections: number
  /** Messages sent and not yet echoed, per connection. */
  readonly depth: number
  /** Bytes of payload. */
  readonly size: number
}

export const workloads: ReadonlyArray<Workload> = [
  { name: "10 x 64, 64 B", connections: 10, depth: 64, size: 64 },
  { name: "100 x 1, 64 B", connections: 100, depth: 1, size: 64 },
  { name: "1 x 4, 1 MiB", connections: 1, depth: 4, size: 1_048_576 }
]
