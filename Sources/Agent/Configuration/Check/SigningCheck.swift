import Git
import Glibc

/// Whether the agent can sign its commits, and would accept them itself. Blocks: runs `ssh-keygen` and `gpg`.
struct SigningCheck {
    private(set) var problems: [ConfigurationProblem] = []
    private var seen: Set<Setting> = []

    private struct Setting: Hashable {
        let key: SigningKey?
        let trust: SignatureTrust?
    }

    /// - Parameters:
    ///   - prefix: where the configuration says it: `git`, or `repositories[0].git`.
    ///   - now: the time that the agent's commits would have, in seconds since 1970.
    mutating func check(_ git: AgentConfiguration.GitConfiguration, at prefix: String, now: Int64) {
        let trust = git.verification.mode == .none ? nil : git.verification.trust
        guard seen.insert(Setting(key: git.commit.signing, trust: trust)).inserted else { return }
        // Files that are not there are told elsewhere.
        let files = [
            git.commit.signing?.keyFile, git.commit.signing?.passphraseFile, trust?.allowedSignersFile,
            trust?.keyringFile,
        ]
        guard files.allSatisfy({ $0.map { access($0, R_OK) == 0 } ?? true }) else { return }
        if let trust {
            do { try trust.check() } catch {
                let name = error.place == trust.keyringFile ? "keyring" : "allowedSigners"
                return add(.wrongFormat, "\(prefix).verify.\(name)", error)
            }
        }
        guard let key = git.commit.signing else { return }
        // With a branch of its own, the agent's commits reach the watched one through somebody's merge.
        let meetsOwnCommits = git.pushBranch == nil || git.verification.mode == .all
        do {
            if let reason = try key.refusal(by: meetsOwnCommits ? trust : nil, at: now) {
                problems.append(
                    ConfigurationProblem(
                        .ownKeyNotTrusted, "the agent would refuse its own commits", key: "\(prefix).verify",
                        cause: "a commit signed with \(key.keyFile) is not accepted: \(reason)",
                        hint: key.format == .ssh
                            ? "add the key's public half to 'allowedSigners'" : "add the key's public half to 'keyring'"
                    ))
            }
        } catch {
            add(.cannotSign, "\(prefix).commit.signing", error)
        }
    }

    private mutating func add(_ code: ConfigurationProblem.Code, _ key: String, _ error: GitError) {
        problems.append(
            ConfigurationProblem(
                code, (error.place.map { "\($0): " } ?? "") + error.summary, key: key, cause: error.cause,
                hint: error.hint))
    }
}
