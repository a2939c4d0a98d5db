/** What a server has used and holds: CPU in microseconds, memory in bytes. */
export interface Usage {
  readonly cpu: number
  readonly memory: NodeJS.MemoryUsage
}

/** What every server tells its parent: the port it listens on, and when asked, what it has used and holds. */
export const ready = (port: number): void => {
  process.on("message", () => {
    // Where memory is measured, what is garbage does not count.
    for (let i = 0; i < 3; i++) globalThis.gc?.({ execution: "sync", type: "major", flavor: "last-resort" })
    const { system, user } = process.cpuUsage()
    process.send!({ cpu: user + system, memory: process.memoryUsage() } satisfies Usage)
  })
  process.on("disconnect", () => process.exit(0))
  process.send!({ port })
}
