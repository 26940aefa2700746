/// The tree of a template. Positions are offsets into the text's bytes.
indirect enum TemplateNode: Sendable {
    case text(String)
    case action(TemplatePipeline)
    case branch([(condition: TemplatePipeline, body: [TemplateNode])], otherwise: [TemplateNode])
    case range(TemplatePipeline, body: [TemplateNode], otherwise: [TemplateNode])
    case with(TemplatePipeline, body: [TemplateNode], otherwise: [TemplateNode])
    case leave(isBreak: Bool)
}

/// `$a, $b := command | command`
struct TemplatePipeline: Sendable {
    var variables: [String] = []
    /// `=` rather than `:=`.
    var isAssignment = false
    var commands: [TemplateCommand] = []
    var position: Int
}

/// A function with its arguments, or one operand.
struct TemplateCommand: Sendable {
    var operands: [TemplateOperand]
    var position: Int
}

struct TemplateOperand: Sendable {
    indirect enum Base: Sendable {
        case dot
        case variable(String)
        case literal(TemplateValue)
        case function(String)
        case pipeline(TemplatePipeline)
    }

    var base: Base
    var fields: [String]
    var position: Int
}

/// One word of what stands between `{{` and `}}`.
struct TemplateToken: Sendable {
    enum Kind: Sendable, Equatable {
        case identifier(String)
        /// `.Name`
        case field(String)
        /// `$` or `$name`, with the dollar sign.
        case variable(String)
        case dot
        case string(String)
        case integer(Int)
        case pipe, open, close, comma, assign, declare
    }

    var kind: Kind
    var position: Int
    /// Blanks before it: `.A .B` are two operands, `.A.B` is one.
    var isApart: Bool
}
