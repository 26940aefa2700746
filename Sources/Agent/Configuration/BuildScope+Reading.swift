import Builder
package import OCI
package import YAML

extension OperatorScope: ReadableScope {
    package static func repository(_ value: YAMLValue) throws(YAMLError) -> RepositoryLocation {
        let text = try value.nonEmptyString()
        do throws(OCIError) { return try RepositoryLocation(text) } catch {
            throw value.error(error.summary, hint: error.hint)
        }
    }

    package static func context(_ value: YAMLValue) throws(YAMLError) -> PipelineContext {
        .configured(try namedContext(value))
    }

    package static func familiar(_ repository: RepositoryLocation) -> String { repository.familiar }

    /// All forms of `--build-context`.
    static func namedContext(_ value: YAMLValue) throws(YAMLError) -> NamedContext {
        let text = try value.nonEmptyString()
        do throws(BuildError) { return try NamedContext(text) } catch {
            throw value.error(error.summary, hint: error.hint)
        }
    }
}

extension RepositoryScope: ReadableScope {
    package static func repository(_ value: YAMLValue) throws(YAMLError) -> RegistryRepository {
        let text = try value.nonEmptyString()
        guard !text.hasPrefix("oci:") else {
            throw value.error(
                "'\(text.prefix(200))' is a directory of the agent's machine, where a repository may not write",
                hint: "name a repository of a registry; only 'builds' in the agent's configuration can push to layouts")
        }
        do throws(OCIError) { return try RegistryRepository(text) } catch {
            throw value.error(error.summary, hint: error.hint)
        }
    }

    package static func context(_ value: YAMLValue) throws(YAMLError) -> RepositoryContext {
        let text = try value.nonEmptyString()
        do throws(AgentError) { return try RepositoryContext(text) } catch {
            throw value.error(error.summary, hint: error.hint)
        }
    }

    package static func familiar(_ repository: RegistryRepository) -> String { repository.familiar }
}
