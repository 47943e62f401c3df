"""New data keys, and old ones under another KMS key, without ever opening one.

Both are done inside KMS: what comes back is wrapped.
"""

from shared.domain.data_keys import WrappedDataKey
from shared.vault.kms_data_keys import KmsDataKeys
from shared.vault.token_vault import data_key_context


class DataKeyChanges:
    """Makes and re-wraps the data keys of one stage."""

    def __init__(self, kms: KmsDataKeys, *, stage: str) -> None:
        self._kms = kms
        self._stage = stage

    async def make(self, generation: int) -> WrappedDataKey:
        """A new data key for ``generation``, of no use until it is stored.

        Raises:
            KeyServiceUnavailableError: KMS is away, or refuses the key.
        """
        wrapped_key, kms_key_id = await self._kms.generate_wrapped(
            data_key_context(self._stage, generation)
        )
        return WrappedDataKey(generation=generation, wrapped_key=wrapped_key, kms_key_id=kms_key_id)

    async def kms_key_arn(self) -> str:
        """The ARN of the KMS key that is to wrap every data key.

        Raises:
            KeyServiceUnavailableError: KMS is away, or refuses to say.
        """
        return await self._kms.key_arn()

    async def rewrap(self, key: WrappedDataKey) -> WrappedDataKey:
        """The same data key, wrapped under the present KMS key.

        Raises:
            KeyServiceUnavailableError: KMS is away, or refuses either of the two keys.
        """
        wrapped_key, kms_key_id = await self._kms.rewrap(
            key.wrapped_key,
            kms_key_id=key.kms_key_id,
            context=data_key_context(self._stage, key.generation),
        )
        return WrappedDataKey(
            generation=key.generation, wrapped_key=wrapped_key, kms_key_id=kms_key_id
        )
