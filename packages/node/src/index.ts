export * as NodeZlib from "./NodeZlib.ts"
export * as WebSocket from "./WebSocket.ts"
