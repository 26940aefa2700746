extension SigningKey {
    /// Signs a text as a commit is signed, and judges the signature as those of incoming commits are judged. Blocks: runs
    /// `ssh-keygen` or `gpg`.
    ///
    /// - Parameters:
    ///   - trust: whose signatures are accepted; `nil`: the key is only tried.
    ///   - time: the commit's, in seconds since 1970.
    /// - Returns: why the agent's own commits would be refused; `nil` when they would not.
    /// - Throws: when the key cannot sign, or what is trusted cannot be read.
    package func refusal(by trust: SignatureTrust?, at time: Int64) throws(GitError) -> String? {
        let payload = Array("tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\n\nCheck of the signing key\n".utf8)
        let signature = try sign(payload)
        guard let trust else { return nil }
        switch try SignatureVerifier(trust).judge(signature: Array(signature.utf8), payload: payload, time: time) {
        case .good: return nil
        case .refused(let reason): return reason
        }
    }
}

extension SignatureTrust {
    /// Reads what is trusted as a verification does. Blocks.
    package func check() throws(GitError) { _ = try SignatureVerifier(self) }
}
