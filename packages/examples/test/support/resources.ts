/** What this process holds of the system: sockets, servers and timers. */
const counted = /^(TCP|TLS|Pipe|Timeout)/

export const resources = (): number => process.getActiveResourcesInfo().filter((name) => counted.test(name)).length
