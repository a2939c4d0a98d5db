/**
 * The canonical form of a Schema for formats that have all that JSON has, and bytes: as `Schema.toCodecJson`, with bytes as they are.
 *
 * `toCodecJson` asks each declaration for its form, and one that answers `undefined` is in it already. So the Schema is rebuilt with that
 * answer at every `Schema.Uint8Array` that is about to be encoded.
 */
import type { Carried } from "@wirestack/protocol/typed/Codec"
import * as Schema from "effect/Schema"
import * as SchemaAST from "effect/SchemaAST"

export const canonical = <T>(schema: Carried<T>): Carried<T> =>
  Schema.toCodecJson(Schema.make<Carried<T>>(keeper()(schema.ast)))

/** Rebuilds a Schema, each part of it once: it may contain itself. */
const keeper = () => {
  const kept = new Map<SchemaAST.AST, SchemaAST.AST>()
  const keep = (ast: SchemaAST.AST): SchemaAST.AST => {
    const known = kept.get(ast)
    if (known !== undefined) return known
    const rebuilt = rebuild(ast, keep)
    kept.set(ast, rebuilt)
    return rebuilt
  }
  return keep
}

type Keep = (ast: SchemaAST.AST) => SchemaAST.AST

const rebuild = (ast: SchemaAST.AST, keep: Keep): SchemaAST.AST => {
  const { annotations, checks, context, encoding } = ast
  if (encoding !== undefined) {
    const { to, transformation } = encoding[encoding.length - 1]
    return encodedAs(ast, [...encoding.slice(0, -1), new SchemaAST.Link(keep(to), transformation)])
  }
  switch (ast._tag) {
    case "Declaration":
      return new SchemaAST.Declaration(
        ast.typeParameters.map(keep),
        ast.run,
        isBytes(ast) ? { ...annotations, toCodecJson: () => undefined } : annotations,
        checks,
        undefined,
        context,
        ast.encodingChecks,
        ast.encodingRun
      )
    case "Arrays":
      return new SchemaAST.Arrays(
        ast.isMutable,
        ast.elements.map(keep),
        ast.rest.map(keep),
        annotations,
        checks,
        undefined,
        context,
        ast.encodingChecks
      )
    case "Objects":
      return new SchemaAST.Objects(
        ast.propertySignatures.map(({ name, type }) => new SchemaAST.PropertySignature(name, keep(type))),
        ast.indexSignatures.map(({ parameter, type }) => new SchemaAST.IndexSignature(parameter, keep(type))),
        annotations,
        checks,
        undefined,
        context,
        ast.encodingChecks
      )
    case "Union":
      return new SchemaAST.Union(
        ast.types.map(keep),
        ast.options,
        annotations,
        checks,
        undefined,
        context,
        ast.encodingChecks
      )
    case "Suspend":
      return new SchemaAST.Suspend(() => keep(ast.thunk()), annotations, undefined, undefined, context)
    default:
      return ast
  }
}

/** The same with another encoding: there is no constructor for that. */
const encodedAs = <A extends SchemaAST.AST>(ast: A, encoding: ReadonlyArray<SchemaAST.Link>): A =>
  Object.assign(Object.create(Object.getPrototypeOf(ast)), ast, { encoding })

const formOfBytes = Schema.Uint8Array.ast.annotations?.["toCodecJson"]

const isBytes = (ast: SchemaAST.Declaration): boolean => ast.annotations?.["toCodecJson"] === formOfBytes
