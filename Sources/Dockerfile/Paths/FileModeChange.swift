/// A `--chmod` value: octal, or symbolic as in chmod(1).
package enum FileModeChange: Sendable, Equatable {
    /// Permission bits up to 07777, for files and folders alike.
    case absolute(UInt32)
    case symbolic([Step])

    /// One `who op what` of a symbolic mode.
    package struct Step: Sendable, Equatable {
        enum Operation: UInt8, Sendable { case add = 0x2b, remove = 0x2d, set = 0x3d }

        var operation: Operation
        /// The bits that the step may touch.
        var mask: UInt32
        /// The bits that it names.
        var bits: UInt32
        /// `X`: execution, where there already is some.
        var isConditional = false
        /// `g=u`: the bits of another class, by its shift.
        var copied: [UInt32] = []
    }

    /// - Throws: `.argument`, without a place.
    package init(_ text: String) throws(DockerfileError) {
        if let value = GoValue.unsigned(text, radix: 8), value <= 0o7777 {
            self = .absolute(value)
            return
        }
        guard text.utf8.first.map({ !(0x30...0x39).contains($0) }) ?? false, text.utf8.count <= 1000,
            let steps = Self.steps(text)
        else {
            throw DockerfileError(
                .argument, "--chmod cannot be \(quoted(text))", near: text,
                hint: "write an octal number up to 07777, or a symbolic mode such as u=rwX,go=rX")
        }
        self = .symbolic(steps)
    }

    private static func steps(_ text: String) -> [Step]? {
        var steps: [Step] = []
        for clause in text.utf8.split(separator: 0x2c, omittingEmptySubsequences: false) {
            var rest = clause
            var who: UInt32 = 0
            while let byte = rest.first, let mask = classMask(byte) {
                who |= mask
                rest = rest.dropFirst()
            }
            guard !rest.isEmpty else { return nil }
            while let byte = rest.first {
                guard let operation = Step.Operation(rawValue: byte) else { return nil }
                var action = Action(operation: operation, classes: who)
                rest = rest.dropFirst()
                while let byte = rest.first, Step.Operation(rawValue: byte) == nil {
                    guard action.add(byte) else { return nil }
                    rest = rest.dropFirst()
                }
                steps += action.finished()
            }
        }
        return steps
    }

    /// One operator of a clause with what follows it, as BSD's setmode(3) and BuildKit read it, which differ from GNU's chmod where
    /// setuid, setgid and the sticky bit are concerned.
    private struct Action {
        let operation: Step.Operation
        /// The bits of the classes that are named; none stands for all.
        var classes: UInt32
        var bits: UInt32 = 0
        var isConditional = false
        var steps: [Step] = []

        init(operation: Step.Operation, classes: UInt32) {
            self.operation = operation
            self.classes = classes
        }

        private var mask: UInt32 { classes == 0 ? 0o6777 : classes }
        /// `o` has neither of these bits: what is said of them there is passed over.
        private var hasSpecialBits: Bool { classes == 0 || classes & ~0o007 != 0 }

        mutating func add(_ letter: UInt8) -> Bool {
            switch letter {
            case 0x72: bits |= 0o444
            case 0x77: bits |= 0o222
            case 0x78: bits |= 0o111
            case 0x58: isConditional = true
            case 0x73: if hasSpecialBits { bits |= 0o6000 }
            case 0x74:
                guard hasSpecialBits else { break }
                // It is a class of its own: without another one, it is the only one.
                classes |= 0o1000
                bits |= 0o1000
            case 0x75: copy(6)
            case 0x67: copy(3)
            case 0x6f: copy(0)
            default: return false
            }
            return true
        }

        /// Permissions alone are copied, and taken away before.
        private mutating func copy(_ shift: UInt32) {
            if bits != 0 { steps.append(Step(operation: operation, mask: mask, bits: bits)) }
            bits = 0
            steps.append(Step(operation: operation, mask: mask & 0o777, bits: 0, copied: [shift]))
        }

        func finished() -> [Step] {
            if bits == 0, isConditional, operation != .set || !steps.isEmpty {
                return steps + [
                    Step(operation: operation == .set ? .add : operation, mask: mask, bits: 0, isConditional: true)
                ]
            }
            guard bits != 0 || steps.isEmpty else { return steps }
            return steps + [Step(operation: operation, mask: mask, bits: bits, isConditional: isConditional)]
        }
    }

    /// The bits of `u`, `g`, `o` and `a`.
    private static func classMask(_ byte: UInt8) -> UInt32? {
        switch byte {
        case 0x75: 0o4700
        case 0x67: 0o2070
        case 0x6f: 0o0007
        case 0x61: 0o6777
        default: nil
        }
    }

    /// The permission bits that a file of these bits gets. The umask does not matter.
    package func apply(to mode: UInt32, isDirectory: Bool) -> UInt32 {
        switch self {
        case .absolute(let value): return value
        case .symbolic(let steps):
            var result = mode & 0o7777
            for step in steps {
                var bits = step.bits
                if step.isConditional, isDirectory || mode & 0o111 != 0 { bits |= 0o111 }
                for shift in step.copied { bits |= (result >> shift & 0o7) * 0o111 }
                bits &= step.mask
                switch step.operation {
                case .add: result |= bits
                case .remove: result &= ~bits
                case .set: result = result & ~step.mask | bits
                }
            }
            return result
        }
    }
}
