/** The suites that are run on other runtimes: those of the packages' own tests that need nothing of vitest. */
export interface Suite {
  readonly name: string
  /** Files, from the root. */
  readonly files: ReadonlyArray<string>
}

export const suites: ReadonlyArray<Suite> = [
  { name: "memory", files: ["packages/protocol/test/MemoryTransport.test.ts"] },
  {
    name: "framers",
    files: ["LengthPrefixed", "Lines", "own"].map((name) => `packages/protocol/test/framers/${name}.test.ts`)
  },
  { name: "codecs", files: ["packages/protocol/test/testing/codecSuite.test.ts"] },
  { name: "WebSocket over memory", files: ["packages/websocket/test/WebSocket.test.ts"] },
  { name: "TCP, Unix, TLS", files: ["packages/examples/test/bytes.test.ts"] },
  { name: "WebSocket over TCP, TLS", files: ["packages/examples/test/websockets.test.ts"] }
]
