/// The shell form or the exec form of a command.
package enum CommandLine: Sendable, Equatable {
    /// The rest of the line as it is.
    case shell(String)
    case exec([String])

    /// What runs: the shell form is handed to the shell as its last argument.
    package func arguments(shell: [String]) -> [String] {
        switch self {
        case .shell(let line): shell + [line]
        case .exec(let arguments): arguments
        }
    }
}

/// The shell of images that define none.
package let defaultShell = ["/bin/sh", "-c"]

package struct EnvInstruction: Sendable, Equatable {
    package var pairs: [KeyValue]
    /// `ENV key value`.
    package var isLegacy: Bool
}

package struct LabelInstruction: Sendable, Equatable {
    package var pairs: [KeyValue]
    package var isLegacy: Bool
}

package struct ArgInstruction: Sendable, Equatable {
    package struct Argument: Sendable, Equatable {
        package var name: String
        /// The default: `nil` for `ARG name`, empty for `ARG name=`.
        package var value: String?
        /// From a comment `# name description` above.
        package var description: String?
    }

    package var arguments: [Argument]
}

package struct OnbuildInstruction: Sendable, Equatable {
    /// What the image's configuration gets: the text after `ONBUILD`, heredoc bodies included.
    package var text: String
    package var keyword: String
    /// Why the trigger would fail in every build that it is part of; defining it is no error.
    package var problem: DockerfileError?
}

package struct RunInstruction: Sendable, Equatable {
    package enum Network: String, Sendable, CaseIterable { case `default`, none, host }
    package enum Security: String, Sendable, CaseIterable { case sandbox, insecure }

    package var command: CommandLine
    /// `--mount` values as written.
    package var mountTexts: [String]
    /// Complete after `Instruction.expanded`. Before, a mount with variables has only its `from`.
    package var mounts: [RunMount]
    package var network: Network
    package var security: Security
    package var devices: [String]
    package var heredocs: [Heredoc]

    /// What a RUN instruction hands to the kernel.
    package enum Invocation: Sendable, Equatable {
        case arguments([String])
        /// A heredoc that starts with `#!`, behind the tabs that `<<-` takes away: the content has to be at `path`, executable and read-only, while `arguments`
        /// run.
        case script(path: String, content: [UInt8], arguments: [String])

        package var arguments: [String] {
            switch self {
            case .arguments(let arguments), .script(_, _, let arguments): arguments
            }
        }
    }

    package func invocation(shell: [String]) -> Invocation {
        guard case .shell(let line) = command, let first = heredocs.first else {
            return .arguments(command.arguments(shell: shell))
        }
        if (try? Heredoc(operator: line)) != nil {
            let content = first.content
            if content.starts(with: [0x23, 0x21]) {
                let path = "/dev/pipes/" + first.name
                return .script(path: path, content: content, arguments: shell + [path])
            }
            return .arguments(shell + [String(decoding: content, as: UTF8.self)])
        }
        // The shell reads the documents itself.
        var script = line
        for heredoc in heredocs { script += "\n" + String(decoding: heredoc.body, as: UTF8.self) + heredoc.name }
        return .arguments(shell + [script])
    }
}

/// What COPY and ADD have in common.
package struct CopySources: Sendable, Equatable {
    /// A file whose content is in the Dockerfile.
    package struct Inline: Sendable, Equatable {
        package var name: String
        package var content: [UInt8]
        /// Variables in the content are still to be expanded.
        package var expands: Bool
    }

    package var paths: [String]
    package var inline: [Inline]
    package var destination: String
}

package struct CopyInstruction: Sendable, Equatable {
    package var sources: CopySources
    /// A stage's name or number, a named context, an image; `nil` for the build context.
    package var from: String?
    package var chown: String?
    package var chmod: String?
    package var link = false
    package var parents = false
    package var excludes: [String] = []
}

package struct AddInstruction: Sendable, Equatable {
    package var sources: CopySources
    package var chown: String?
    package var chmod: String?
    package var checksum: String?
    package var link = false
    /// `nil` when not given: then what is done depends on the source.
    package var keepGitDirectory: Bool?
    package var unpack: Bool?
    package var excludes: [String] = []
}

/// How a container is asked whether it is well. Times in nanoseconds; 0 takes the runtime's default.
package struct Healthcheck: Sendable, Equatable {
    /// `["NONE"]`, `["CMD", …]` or `["CMD-SHELL", line]`.
    package var test: [String]
    package var interval: Int64 = 0
    package var timeout: Int64 = 0
    package var startPeriod: Int64 = 0
    package var startInterval: Int64 = 0
    package var retries: Int = 0

    package init(test: [String]) { self.test = test }
}
