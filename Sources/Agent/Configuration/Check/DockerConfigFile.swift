import Glibc

/// The file with registry credentials that `dockerConfig` or `--docker-config` means: itself, or one of a directory's.
package enum DockerConfigFile {
    /// The names that Docker and Kubernetes' secrets give it.
    private static let names = ["config.json", ".dockerconfigjson", ".dockercfg"]

    /// - Throws: when there is none.
    package static func find(_ path: String) throws(AgentError) -> String {
        var status = stat()
        guard stat(path, &status) == 0 else {
            throw AgentError(
                "\(path) does not exist", cause: errno == ENOENT ? nil : String(cString: strerror(errno)),
                hint: "name a config.json as 'docker login' writes it, or the directory of one")
        }
        guard status.st_mode & S_IFMT == S_IFDIR else { return path }
        guard let name = names.first(where: { access("\(path)/\($0)", F_OK) == 0 }) else {
            throw AgentError(
                "the directory \(path) holds no registry credentials",
                hint: "it must hold one of \(names.joined(separator: ", "))")
        }
        return "\(path)/\(name)"
    }
}
