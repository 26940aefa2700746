import YAML

/// What sops has encrypted in a file, or protects from changes that are not its own.
///
/// The code over a file's contents (`sops.mac`) covers plain values, too, unless `mac_only_encrypted` is set: after a change by
/// anybody else `sops -d` refuses the file. https://github.com/getsops/sops#message-authentication-code
struct EncryptedFile {
    /// Why no value of the file may change; `nil` for a file that sops has nothing to do with, or whose plain values it does not
    /// cover.
    let refusal: String?

    init(_ documents: [YAMLDocument]) {
        let isCovered = documents.contains { document in
            guard let sops = document.root?["sops"], let mac = sops["mac"]?.text, !mac.isEmpty else { return false }
            return sops["mac_only_encrypted"]?.text != "true"
        }
        refusal =
            isCovered
            ? "the file is encrypted by sops, whose code over the file (sops.mac) covers plain values, too: change the value with "
                + "'sops edit', or set 'mac_only_encrypted: true' in .sops.yaml and encrypt the file again" : nil
    }

    /// Why a value may not change.
    static func refusal(of text: String?) -> String? {
        guard let text, text.hasPrefix("ENC["), text.hasSuffix("]") else { return nil }
        return "the value is encrypted by sops: change it with 'sops edit'"
    }
}
