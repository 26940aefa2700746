import Forge
import Git
import Template
package import YAML

/// Reads `git:`, the same for all repositories and for one. What a repository does not say is as for all.
package enum GitReader {
    package static func git(
        _ value: YAMLValue, over base: AgentConfiguration.GitConfiguration = AgentConfiguration.GitConfiguration()
    ) throws(YAMLError) -> AgentConfiguration.GitConfiguration {
        var git = base
        try value.object { (object) throws(YAMLError) in
            try object.optional("author")?.object { (author) throws(YAMLError) in
                git.authorName = try author.optional("name").map(person) ?? git.authorName
                git.authorEmail = try author.optional("email").map(person) ?? git.authorEmail
            }
            try object.optional("committer")?.object { (committer) throws(YAMLError) in
                git.committerName = try committer.optional("name").map(person) ?? git.committerName
                git.committerEmail = try committer.optional("email").map(person) ?? git.committerEmail
            }
            git.username = try text(object.optional("username")) ?? git.username
            git.passwordFile = try text(object.optional("passwordFile")) ?? git.passwordFile
            git.tokenFile = try text(object.optional("tokenFile")) ?? git.tokenFile
            if let value = object.optional("github") { git.github = try githubApp(value, over: git.github) }
            git.sshKey = try text(object.optional("sshKey")) ?? git.sshKey
            git.sshPassphraseFile = try text(object.optional("sshPassphraseFile")) ?? git.sshPassphraseFile
            git.usesSSHAgent = try object.optional("sshAgent").map(flag) ?? git.usesSSHAgent
            git.knownHosts = try text(object.optional("knownHosts")) ?? git.knownHosts
            git.caFile = try text(object.optional("caFile")) ?? git.caFile
            git.proxy = try object.optional("proxy").map(proxy) ?? git.proxy
            git.proxyCredentialsFile = try text(object.optional("proxyCredentialsFile")) ?? git.proxyCredentialsFile
            if let value = object.optional("timeout") { git.timeout = try timeout(value) }
            if let value = object.optional("commit") { try commit(value, &git.commit) }
            if let value = object.optional("verify") { try verification(value, &git.verification) }
            if let value = object.optional("push") { try push(value, &git.push) }
            if let value = object.optional("pullRequest") {
                git.pullRequest = try pullRequest(value, over: git.pullRequest)
            }
            if let value = object.optional("status") { git.status = try StatusReader.status(value, over: git.status) }
        }
        try check(git, at: value)
        return git
    }

    private static func text(_ value: YAMLValue?) throws(YAMLError) -> String? { try value?.nonEmptyString() }

    private static func flag(_ value: YAMLValue) throws(YAMLError) -> Bool { try value.bool() }

    /// A name or an address of a commit's author.
    private static func person(_ value: YAMLValue) throws(YAMLError) -> String {
        let text = try value.nonEmptyString()
        guard !text.contains(where: { "<>\n\r\0".contains($0) }) else {
            throw value.error("'\(text.prefix(60))' cannot stand in a commit", hint: "leave out '<', '>' and line ends")
        }
        return text
    }

    private static func proxy(_ value: YAMLValue) throws(YAMLError) -> String {
        let text = try value.nonEmptyString()
        guard text.hasPrefix("http://") || text.hasPrefix("https://") else {
            throw value.error("the proxy is not an HTTP proxy", hint: "write http://HOST:PORT")
        }
        guard !text.contains("@") else {
            throw value.error(
                "a password does not belong into the configuration",
                hint: "put user:password into a file and name it as 'proxyCredentialsFile'")
        }
        return text
    }

    /// Of silence. Git's servers send something every five seconds while they work.
    private static func timeout(_ value: YAMLValue) throws(YAMLError) -> Duration {
        let duration = try value.duration()
        guard duration >= .seconds(10), duration <= .seconds(86_400) else {
            throw value.error("a git server is waited for between 10 seconds and a day", hint: "write 60s, or 5m")
        }
        return duration
    }

    // MARK: Commits

    private static func commit(
        _ value: YAMLValue, _ commit: inout AgentConfiguration.CommitSettings
    ) throws(YAMLError) {
        try value.object { (object) throws(YAMLError) in
            if let value = object.optional("per") { commit.grouping = try value.choice() }
            if let value = object.optional("message") { commit.message = try template(value, "message") }
            if let value = object.optional("values") {
                for (name, text) in try value.stringEntries() { commit.values[name] = text }
            }
            if let value = object.optional("ciSkip") { commit.ciSkip = try ciSkip(value) }
            if let value = object.optional("notes") { commit.notes = try notes(value) }
            if let value = object.optional("signing") { commit.signing = try signing(value) }
            if let value = object.optional("automation") {
                let text = try value.nonEmptyString()
                guard text.split(separator: "/", omittingEmptySubsequences: false).count == 2 else {
                    throw value.error("'\(text)' is not NAMESPACE/NAME")
                }
                commit.automation = text
            }
        }
    }

    /// Reads a template; its errors get the place in the file.
    static func template(_ value: YAMLValue, _ name: String) throws(YAMLError) -> Template {
        let text = try value.nonEmptyString()
        do {
            return try Template(text, name: name)
        } catch {
            throw value.error("\(error.place.map { "\($0): " } ?? "")\(error.summary)", hint: error.hint)
        }
    }

    private static func ciSkip(_ value: YAMLValue) throws(YAMLError) -> String? {
        switch try value.nonEmptyString() {
        case "true": return defaultCISkip
        case "false": return nil
        case let text:
            guard !text.contains(where: \.isNewline) else { throw value.error("the text has a line end in it") }
            return text
        }
    }

    /// What Flux v1 appended.
    package static let defaultCISkip = "[ci skip]"

    private static func notes(_ value: YAMLValue) throws(YAMLError) -> String? {
        switch try value.nonEmptyString() {
        case "false": return nil
        case let text:
            guard let reference = notesReference(text) else {
                throw value.error(
                    "'\(text)' is not a reference for notes", hint: "write true, a name, or refs/notes/NAME")
            }
            return reference
        }
    }

    /// `refs/notes/…` for a name, as git itself completes it.
    package static func notesReference(_ text: String) -> String? {
        if text == "true" { return "refs/notes/flux" }
        let name = text.hasPrefix("refs/notes/") ? String(text.dropFirst(11)) : text
        let isPlain = name.utf8.allSatisfy { byte in
            (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte)
                || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_") || byte == UInt8(ascii: "/")
        }
        return isPlain && !name.isEmpty && !name.hasPrefix("/") && !name.hasPrefix("refs/") ? "refs/notes/" + name : nil
    }

    private static func signing(_ value: YAMLValue) throws(YAMLError) -> SigningKey {
        try value.object { (object) throws(YAMLError) in
            var key = SigningKey(
                format: try object.required("format").choice(), keyFile: try object.required("keyFile").nonEmptyString()
            )
            key.passphraseFile = try text(object.optional("passphraseFile"))
            if let id = object.optional("keyID") {
                guard key.format == .openPGP else {
                    throw id.error("an SSH key file holds one key: 'keyID' is for OpenPGP")
                }
                key.keyID = try id.nonEmptyString()
            }
            return key
        }
    }

    // MARK: Verification, push

    private static func verification(
        _ value: YAMLValue, _ verification: inout AgentConfiguration.VerificationSettings
    ) throws(YAMLError) {
        try value.object { (object) throws(YAMLError) in
            if let value = object.optional("mode") { verification.mode = try value.choice() }
            verification.trust.allowedSignersFile =
                try text(object.optional("allowedSigners")) ?? verification.trust.allowedSignersFile
            verification.trust.acceptsExpiredKeys =
                try object.optional("acceptExpiredKeys").map(flag) ?? verification.trust.acceptsExpiredKeys
            verification.trust.keyringFile = try text(object.optional("keyring")) ?? verification.trust.keyringFile
        }
    }

    private static func push(
        _ value: YAMLValue, _ push: inout AgentConfiguration.PushSettings
    ) throws(YAMLError) {
        try value.object { (object) throws(YAMLError) in
            if let value = object.optional("branch") { push.branch = try template(value, "branch") }
        }
    }

    private static func pullRequest(
        _ value: YAMLValue, over base: AgentConfiguration.PullRequestSettings?
    ) throws(YAMLError) -> AgentConfiguration.PullRequestSettings {
        try value.object { (object) throws(YAMLError) in
            var settings: AgentConfiguration.PullRequestSettings
            if let base {
                settings = base
                if let host = object.optional("host") { settings.host = try host.choice() }
            } else {
                settings = AgentConfiguration.PullRequestSettings(host: try object.required("host").choice())
            }
            settings.api = try text(object.optional("api")) ?? settings.api
            settings.project = try text(object.optional("project")) ?? settings.project
            settings.tokenFile = try text(object.optional("tokenFile")) ?? settings.tokenFile
            settings.isInsecure = try object.optional("insecure").map(flag) ?? settings.isInsecure
            if let value = object.optional("title") { settings.title = try template(value, "title") }
            if let value = object.optional("body") { settings.body = try template(value, "body") }
            settings.options.labels = try object.optional("labels").map(names) ?? settings.options.labels
            settings.options.reviewers = try object.optional("reviewers").map(names) ?? settings.options.reviewers
            settings.options.assignees = try object.optional("assignees").map(names) ?? settings.options.assignees
            settings.options.isDraft = try object.optional("draft").map(flag) ?? settings.options.isDraft
            settings.hasComment = try object.optional("comment").map(flag) ?? settings.hasComment
            if let value = object.optional("autoMerge") { settings.options.autoMerge = try value.choice() }
            // What the repository does not say itself may be for another kind of host.
            for option in settings.options.unsupported(at: settings.host) {
                throw (object.optional(option.key) ?? value).error(option.reason, hint: option.hint)
            }
            return settings
        }
    }

    private static func githubApp(
        _ value: YAMLValue, over base: AgentConfiguration.GitHubAppConfiguration?
    ) throws(YAMLError) -> AgentConfiguration.GitHubAppConfiguration {
        try value.object { (object) throws(YAMLError) in
            var app: AgentConfiguration.GitHubAppConfiguration
            if let base {
                app = base
                app.appID = try text(object.optional("appId")) ?? app.appID
                app.privateKeyFile = try text(object.optional("privateKeyFile")) ?? app.privateKeyFile
            } else {
                app = AgentConfiguration.GitHubAppConfiguration(
                    appID: try object.required("appId").nonEmptyString(),
                    privateKeyFile: try object.required("privateKeyFile").nonEmptyString())
            }
            if let id = object.optional("installationId") {
                let text = try id.nonEmptyString()
                guard text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
                    throw id.error("'\(text.prefix(60))' is not the number of an installation")
                }
                app.installationID = text
            }
            app.api = try text(object.optional("api")) ?? app.api
            app.makesCommits = try object.optional("verifiedCommits").map(flag) ?? app.makesCommits
            app.isInsecure = try object.optional("insecure").map(flag) ?? app.isInsecure
            return app
        }
    }

    private static func names(_ value: YAMLValue) throws(YAMLError) -> [String] {
        try value.list { (item) throws(YAMLError) in try item.nonEmptyString() }
    }

    private static func check(_ git: AgentConfiguration.GitConfiguration, at value: YAMLValue) throws(YAMLError) {
        if let problem = trustProblem(in: git) { throw value.error(problem.summary, hint: problem.hint) }
    }

    /// What does not go together, wherever it was said.
    package static func trustProblem(
        in git: AgentConfiguration.GitConfiguration
    ) -> (summary: String, hint: String)? {
        let trust = git.verification.trust
        guard git.verification.mode != .none, trust.allowedSignersFile == nil, trust.keyringFile == nil else {
            return nil
        }
        return (
            "signatures are to be verified, and nobody's are trusted",
            "set 'allowedSigners' (SSH) or 'keyring' (OpenPGP)"
        )
    }

    /// The same where the agent commits; where nothing ever is, nothing has to be signed.
    package static func commitProblem(
        in git: AgentConfiguration.GitConfiguration
    ) -> (summary: String, hint: String)? {
        guard git.verification.mode != .none, git.commit.signing == nil, git.pushBranch == nil else { return nil }
        return (
            "the agent would refuse its own commits: they are not signed and signatures are verified",
            "set 'commit.signing', and let 'verify' trust that key; or push to another branch, or turn updates off "
                + "('updates: {enabled: false}')"
        )
    }
}
