/// Changes image references in manifests by splicing the bytes of their scalars. Pure: bytes in, bytes out.
///
/// Whatever asks for a change (`UpdateRequest`, `ManifestEdit`s of a cycle, `PolicyUpdate`, Argo CD's places) gathers edits in a
/// `FileUpdater`, which writes them and proves the result by reading it again.
package enum ManifestUpdater {}
