package import Diagnostics
import Template

/// How changes are written back where an object of the repository says so: who commits them, in which words, and where they go.
/// What the agent's configuration says counts first.
package struct WriteBack: Sendable, Hashable {
    package struct Author: Sendable, Hashable {
        package var name: String
        package var email: String
    }

    /// A push beside the one to the branch.
    package struct Refspec: Sendable, Hashable {
        /// The branch that it takes: the one that the commits are on.
        package var source: String
        /// The branch that it moves.
        package var destination: String
    }

    /// What messages call the object: its kind and its name.
    package var subject: String
    /// Where the object is.
    package var location: SourceLocation
    /// `.AutomationObject` of the templates, `NAMESPACE/NAME`.
    package var automation: String
    package var author: Author?
    /// The text of the message's template.
    package var message: String?
    /// `.Values` of the templates.
    package var values: [String: String] = [:]
    /// The folder that the names of files in `.Changed.FileChanges` count from; empty for the top.
    package var root = ""
    /// The branch that the commits go to; `nil`: the one that is watched.
    package var branch: String?
    package var refspecs: [Refspec] = []
    /// What Argo CD Image Updater calls the images, by their names; `nil` for other tools. Its templates see no Application.
    package var aliases: [String: String]?

    package init(subject: String, location: SourceLocation, automation: String) {
        self.subject = subject
        self.location = location
        self.automation = automation
    }
}

extension AgentConfiguration.GitConfiguration {
    /// These settings with what an object says where they say nothing.
    func completed(by writeBack: WriteBack?) throws(AgentError) -> Self {
        guard let writeBack else { return self }
        var settings = self
        if let author = writeBack.author, !saysAuthor {
            // The agent knows its own commits by their committer.
            settings.committerName = committerName ?? authorName
            settings.committerEmail = committerEmail ?? authorEmail
            (settings.authorName, settings.authorEmail) = (author.name, author.email)
        }
        if commit.message == nil, let text = writeBack.message {
            do {
                settings.commit.message = try Template(text, name: "\(writeBack.location)")
            } catch {
                throw AgentError(
                    "the commit message's template of the \(writeBack.subject) cannot be used: \(error.summary)",
                    place: error.place, cause: error.cause, hint: error.hint)
            }
        }
        settings.commit.values.merge(writeBack.values) { own, _ in own }
        settings.commit.automation = commit.automation ?? writeBack.automation
        settings.commit.fileRoot = writeBack.root
        settings.commit.aliases = writeBack.aliases
        return settings
    }

    /// Whether somebody said who the author is.
    package var saysAuthor: Bool {
        let unsaid = Self()
        return authorName != unsaid.authorName || authorEmail != unsaid.authorEmail
    }
}
