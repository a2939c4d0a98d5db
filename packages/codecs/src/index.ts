export * as Cbor from "./Cbor.ts"
export * as MessagePack from "./MessagePack.ts"
export * as Protobuf from "./Protobuf.ts"
