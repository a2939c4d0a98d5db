/** What a process holds and has used, without its garbage: memory in bytes, CPU in microseconds. */
export interface Usage {
  readonly memory: NodeJS.MemoryUsage
  readonly cpu: number
}

/** What every server does for who started it: it tells the port it listens on, and when asked, what it holds and has used. */
export const ready = (port: number): void => {
  process.on("message", () => {
    for (let i = 0; i < 3; i++) globalThis.gc?.({ execution: "sync", type: "major", flavor: "last-resort" })
    const { system, user } = process.cpuUsage()
    process.send!({ cpu: user + system, memory: process.memoryUsage() } satisfies Usage)
  })
  process.on("disconnect", () => process.exit(0))
  process.send!({ port })
}
