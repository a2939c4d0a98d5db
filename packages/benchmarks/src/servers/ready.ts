/** What every server tells its parent: the port it listens on, and when asked, the CPU time it has used. */
export const ready = (port: number): void => {
  process.on("message", () => {
    const { system, user } = process.cpuUsage()
    process.send!({ cpu: user + system, rss: process.memoryUsage.rss() })
  })
  process.on("disconnect", () => process.exit(0))
  process.send!({ port })
}
