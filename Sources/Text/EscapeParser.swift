/// Tells text from what steers a terminal, one character after another: escape sequences and strings of ECMA-48.
package struct EscapeParser: Sendable {
    package enum Part: Sendable, Equatable {
        /// Text, or a control character that stands for itself.
        case character(Unicode.Scalar)
        /// `ESC [`, its parameters, and the character that says what it does: `31` and `m` for red.
        case sequence(parameters: String, final: Unicode.Scalar)
    }

    private enum State { case text, escape, intermediate, parameters, string, stringEscape }

    private var state = State.text
    private var parameters = ""
    /// Longer ones are nobody's.
    private static let parameterLimit = 32

    package init() {}

    /// - Returns: `nil` for a character that belongs to a sequence which is not over, or which has no meaning for text.
    package mutating func take(_ scalar: Unicode.Scalar) -> Part? {
        switch state {
        case .text:
            guard scalar.value == 0x1b else { return .character(scalar) }
            state = .escape
        case .escape:
            switch scalar {
            case "[":
                state = .parameters
                parameters = ""
            case "]", "P", "X", "^", "_": state = .string
            default: state = (0x20...0x2f).contains(scalar.value) ? .intermediate : .text
            }
        case .intermediate: if !(0x20...0x2f).contains(scalar.value) { state = .text }
        case .parameters:
            guard (0x40...0x7e).contains(scalar.value) else {
                if parameters.unicodeScalars.count <= Self.parameterLimit { parameters.unicodeScalars.append(scalar) }
                return nil
            }
            state = .text
            return .sequence(parameters: parameters, final: scalar)
        case .string:
            if scalar.value == 0x07 { state = .text }
            if scalar.value == 0x1b { state = .stringEscape }
        case .stringEscape: state = .text
        }
        return nil
    }
}

extension String {
    /// Without escape sequences; control characters that stand for themselves stay.
    package var withoutEscapes: String {
        guard utf8.contains(0x1b) else { return self }
        var parser = EscapeParser()
        var result = UnicodeScalarView()
        for scalar in unicodeScalars {
            if case .character(let shown)? = parser.take(scalar) { result.append(shown) }
        }
        return String(result)
    }
}
