export * as Duplex from "./Duplex.ts"
export { DuplexInfo } from "./DuplexInfo.ts"
export type * as Source from "./Source.ts"
export { StreamUnusable } from "./StreamUnusable.ts"
