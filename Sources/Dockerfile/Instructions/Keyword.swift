/// The words that start an instruction.
package enum Keyword: String, Sendable, CaseIterable {
    case add, arg, cmd, copy, entrypoint, env, expose, from, healthcheck, label, maintainer, onbuild, run, shell
    case stopsignal, user, volume, workdir

    /// In capitals, as documentation and history write it.
    package var name: String { rawValue.uppercased() }

    init?(_ text: some StringProtocol) { self.init(rawValue: text.lowercased()) }

    /// Whether its arguments may hold heredocs.
    var allowsHeredocs: Bool { self == .run || self == .copy || self == .add }
}
