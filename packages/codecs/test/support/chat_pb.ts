/**
 * What protoc-gen-es makes of
 *
 *     syntax = "proto3";
 *     package chat;
 *     message Say { string text = 1; uint64 at = 2; bytes body = 3; }
 *     message Move { sint32 x = 1; double y = 2; }
 *     message FromClient { oneof kind { Say say = 1; Move move = 2; } }
 *     message Tree { string name = 1; repeated Tree children = 2; }
 */
import type { Message } from "@bufbuild/protobuf"
import { fileDesc, type GenFile, type GenMessage, messageDesc } from "@bufbuild/protobuf/codegenv2"

const file: GenFile = fileDesc(
  "CgpjaGF0LnByb3RvEgRjaGF0Ij0KA1NheRISCgR0ZXh0GAEgASgJUgR0ZXh0Eg4KAmF0GAIgASgEUgJhdBISCgRib2R5GAMgASgMUgRib2R5IiIKBE1vdmUSDAoBeBgBIAEoEVIBeBIMCgF5GAIgASgBUgF5IlUKCkZyb21DbGllbnQSHQoDc2F5GAEgASgLMgkuY2hhdC5TYXlIAFIDc2F5EiAKBG1vdmUYAiABKAsyCi5jaGF0Lk1vdmVIAFIEbW92ZUIGCgRraW5kIkIKBFRyZWUSEgoEbmFtZRgBIAEoCVIEbmFtZRImCghjaGlsZHJlbhgCIAMoCzIKLmNoYXQuVHJlZVIIY2hpbGRyZW5iBnByb3RvMw"
)

export type Say = Message<"chat.Say"> & { text: string; at: bigint; body: Uint8Array }
export const SaySchema: GenMessage<Say> = messageDesc(file, 0)

export type Move = Message<"chat.Move"> & { x: number; y: number }
export const MoveSchema: GenMessage<Move> = messageDesc(file, 1)

export type FromClient = Message<"chat.FromClient"> & {
  kind:
    | { case: "say"; value: Say }
    | { case: "move"; value: Move }
    | { case: undefined; value?: undefined }
}
export const FromClientSchema: GenMessage<FromClient> = messageDesc(file, 2)

export type Tree = Message<"chat.Tree"> & { name: string; children: Array<Tree> }
export const TreeSchema: GenMessage<Tree> = messageDesc(file, 3)
