/**
 * What this process holds of the system: sockets and servers. Timers of ours are sleeping fibers, which are counted as
 * such; Node's other timers belong to whoever runs the tests.
 */
const counted = /^(TCP|TLS|Pipe)/

export const resources = (): number => process.getActiveResourcesInfo().filter((name) => counted.test(name)).length
