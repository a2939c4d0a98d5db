/**
 * How many sockets, servers, pipes, engines of TLS and processes this process holds. Timers of ours are sleeping fibers, which are
 * counted as such; Node's other timers belong to whoever runs the tests.
 */
export const resources = (): number =>
  process.getActiveResourcesInfo().filter((kind) => /TCP|Pipe|UDP|TLS|JSStream|Process/.test(kind)).length
