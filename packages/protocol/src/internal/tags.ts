/** The members of a union of tagged Schemas, by their tags. */
import * as Schema from "effect/Schema"
import * as SchemaAST from "effect/SchemaAST"
import type { Carried } from "../typed/Codec.ts"

/** The members by tag; throws if there is one without a tag, or a tag that two have. */
export const membersOf = (schema: Carried): ReadonlyMap<string, Carried> => {
  const members = new Map<string, Carried>()
  for (const ast of alternatives(schema.ast)) {
    const tag = tagOf(SchemaAST.toType(ast))
    if (tag === undefined) throw new TypeError("a value without a _tag has no type number: use Schema.TaggedStruct")
    if (members.has(tag)) throw new TypeError(`two Schemas of a union have the tag ${JSON.stringify(tag)}`)
    members.set(tag, Schema.make<Carried>(ast))
  }
  return members
}

/** What a union of unions is made of. A union that is itself checked or transformed is one thing, without a tag. */
const alternatives = (ast: SchemaAST.AST): ReadonlyArray<SchemaAST.AST> =>
  SchemaAST.isUnion(ast) && ast.encoding === undefined && ast.checks === undefined
    ? ast.types.flatMap(alternatives)
    : [ast]

const tagOf = (ast: SchemaAST.AST): string | undefined => {
  if (SchemaAST.isSuspend(ast)) return tagOf(ast.thunk())
  // A class is declared by the struct it is made of.
  if (SchemaAST.isDeclaration(ast)) return ast.typeParameters.length === 1 ? tagOf(ast.typeParameters[0]) : undefined
  if (!SchemaAST.isObjects(ast)) return undefined
  const type = ast.propertySignatures.find(({ name }) => name === "_tag")?.type
  return type !== undefined && SchemaAST.isLiteral(type) && typeof type.literal === "string" ? type.literal : undefined
}
